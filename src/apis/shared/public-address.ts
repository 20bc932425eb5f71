import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Config } from '../../config/config.js';

/** The address under which the client reaches Kiln. */
@Injectable()
export class PublicAddress {
  constructor(private readonly config: Config) {}

  /** Scheme and authority without a final slash: as configured, else as the request names them. */
  of(request: FastifyRequest): string {
    return this.config.http.publicUrl ?? `${request.protocol}://${request.headers.host ?? this.own}`;
  }

  /** Where clients get their tokens: from Kiln itself, or from the Keystone that is configured. */
  identityOf(request: FastifyRequest): string {
    return this.config.keystone?.publicUrl ?? `${this.of(request)}/identity`;
  }

  /** For what is told outside of any request. */
  get own(): string {
    return this.config.http.publicUrl ?? `http://${this.config.http.host}:${this.config.http.port}`;
  }
}
