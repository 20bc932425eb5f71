import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Config } from '../../config/config.js';

/** The address under which the client reaches Kiln. */
@Injectable()
export class PublicAddress {
  constructor(private readonly config: Config) {}

  /** Scheme and authority without a final slash: as configured, else as the request, or a trusted proxy, names them. */
  of(request: FastifyRequest): string {
    const { publicUrl } = this.config.http;
    if (publicUrl !== undefined) return publicUrl;
    // Proxies say what they like.
    const scheme = request.protocol === 'https' ? 'https' : 'http';
    return request.host === '' ? this.own : `${scheme}://${request.host}`;
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
