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

  /** For what is told outside of any request. */
  get own(): string {
    return this.config.http.publicUrl ?? `http://${this.config.http.host}:${this.config.http.port}`;
  }
}
