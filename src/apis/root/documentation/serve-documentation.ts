import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { FaceRegistry } from '../../shared/face-registry.js';
import { readDescribedFaces } from './described-routes.js';
import { faceDocument } from './face-document.js';
import { indexPage } from './index-page.js';

/**
 * Public, read-only pages: `/docs` lists the faces, `/docs/openapi/<face>.json` are their documents, `/docs/browse` shows
 * them. Nothing is loaded from elsewhere. Documents are made when somebody asks for the first one.
 */
export function serveDocumentation(app: NestFastifyApplication): void {
  const faces = app.get(FaceRegistry);
  const http = app.getHttpAdapter();
  let documents: Map<string, OpenAPIObject> | undefined;
  const made = (): Map<string, OpenAPIObject> => (documents ??= allDocuments(app, faces));
  const addressOf = (name: string): string => `/docs/openapi/${name}.json`;

  const serve = (path: string, type: string, page: () => string): void => {
    const answer = (_request: unknown, reply: FastifyReply) => reply.type(type).send(page());
    http.get(path, answer);
    http.head(path, answer);
  };
  serve('/docs', 'text/html; charset=utf-8', () => indexPage(faces.all(), made(), addressOf));
  for (const { name } of faces.all()) {
    serve(addressOf(name), 'application/json', () => JSON.stringify(made().get(name)));
  }
  SwaggerModule.setup('docs/browse', app, () => ({}) as OpenAPIObject, {
    raw: false,
    explorer: true,
    customSiteTitle: 'Kiln',
    swaggerOptions: {
      urls: faces.all().map(({ name, title }) => ({ name: title, url: addressOf(name) })),
      // To read, not to try: and its badge would ask a host of somebody else.
      supportedSubmitMethods: [],
      validatorUrl: null,
      docExpansion: 'none',
    },
  });
}

function allDocuments(app: NestFastifyApplication, faces: FaceRegistry): Map<string, OpenAPIObject> {
  const explored = SwaggerModule.createDocument(app, new DocumentBuilder().build(), {
    operationIdFactory: (controller, method) => `${controller}.${method}`,
  });
  const described = readDescribedFaces();
  return new Map(faces.all().map((face) => [face.name, faceDocument(face, explored.paths as never, described)]));
}
