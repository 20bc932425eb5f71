import { Readable } from 'node:stream';
import { Controller, Delete, Get, Head, HttpCode, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../../config/config.js';
import {
  type Artifact,
  ArtifactsService,
  type ArtifactWithFile,
  DownloadLinks,
} from '../../modules/artifacts/index.js';
import type { Actor } from '../../modules/tenancy/index.js';
import { CurrentActor } from '../shared/callers/current-actor.js';
import { hasBody } from '../shared/requests/json-body.js';
import { expectationOf, isKnown, mayBePart, readExpectationOf } from './artifacts.conditions.js';
import { ArtifactsGuard } from './artifacts.guard.js';
import { addressOf, announcedMd5, linkOf, refusePart, requestedRange } from './artifacts.requests.js';
import { Sends, TakesBytes } from '../shared/documents/documented.js';

@UseGuards(ArtifactsGuard)
@Controller('artifacts/:bucket')
export class ArtifactsController {
  constructor(
    private readonly artifacts: ArtifactsService,
    private readonly links: DownloadLinks,
    private readonly config: Config,
  ) {}

  @Put('*')
  @HttpCode(201)
  @TakesBytes()
  async put(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { headers } = request;
    const body = hasBody(headers) ? request.raw : Readable.from([]);
    refusePart(headers);
    const { artifact } = await this.artifacts.put(actor, addressOf(request.url), body, {
      sizeBytes: headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined,
      maxBytes: this.config.images.sizeMaxBytes,
      expectedMd5: announcedMd5(headers['content-md5']),
      sha256: true,
      contentType: headers['content-type'] ?? null,
      expected: expectationOf(headers),
    });
    await reply.status(201).header('etag', `"${artifact.etag}"`).send();
  }

  @Get('*')
  @Sends({ 200: '*/*', 206: '*/*', 304: null })
  async get(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { headers } = request;
    const look = () => this.find(actor, request);
    const seen = await look();
    if (isKnown(headers, seen.artifact)) return sendKnown(reply, seen);
    const partOf = ({ artifact, file }: ArtifactWithFile) =>
      mayBePart(headers, artifact) ? requestedRange(headers.range, file.sizeBytes) : null;
    const { bytes, ...found } = await this.artifacts.openFound(seen, look, partOf);
    const { sizeBytes } = found.file;
    const range = partOf(found);
    describe(reply, found);
    if (range) void reply.status(206).header('content-range', `bytes ${range.start}-${range.end}/${sizeBytes}`);
    await reply.header('content-length', range ? range.end - range.start + 1 : sizeBytes).send(bytes);
  }

  // By itself Fastify would answer HEAD by reading everything that GET sends.
  @Head('*')
  @Sends({ 200: null, 304: null })
  async head(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const found = await this.find(actor, request);
    if (isKnown(request.headers, found.artifact)) return sendKnown(reply, found);
    describe(reply, found);
    await reply.header('content-length', found.file.sizeBytes).send();
  }

  @Delete('*')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Req() request: FastifyRequest): Promise<void> {
    await this.artifacts.delete(actor, addressOf(request.url), expectationOf(request.headers));
  }

  private find(actor: Actor, request: FastifyRequest): Promise<ArtifactWithFile> {
    const address = addressOf(request.url);
    const link = linkOf(request);
    const expected = readExpectationOf(request.headers);
    return link
      ? this.links.open(address, link.expires, link.signature, expected)
      : this.artifacts.get(actor, address, expected);
  }
}

/** The client has these bytes. */
async function sendKnown(reply: FastifyReply, { artifact }: ArtifactWithFile): Promise<void> {
  await reply.status(304).headers(validatorsOf(artifact)).send();
}

function describe(reply: FastifyReply, { artifact }: ArtifactWithFile): void {
  void reply
    .headers(validatorsOf(artifact))
    .header('accept-ranges', 'bytes')
    .header('content-type', artifact.contentType ?? 'application/octet-stream');
}

function validatorsOf({ etag, createdAt }: Artifact): Record<string, string> {
  return { etag: `"${etag}"`, 'last-modified': createdAt.toUTCString() };
}
