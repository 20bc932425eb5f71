// The floor of a request: Fastify alone, with the same bytes in and out as the real answer.
import { readFileSync } from 'node:fs';
import Fastify from 'fastify';

const body = readFileSync(process.env.FLOOR_BODY);
const app = Fastify({ logger: false });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, payload, done) => done(null, payload));
const answer = async (_request, reply) => reply.header('content-type', 'application/json').send(body);
app.get('/', answer);
app.post('/', answer);
await app.listen({ port: Number(process.env.FLOOR_PORT), host: '127.0.0.1' });
process.on('SIGTERM', () => process.exit(0));
