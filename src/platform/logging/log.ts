import { Injectable, type LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import { currentRequestId } from '../../common/request-context.js';

/** Names under which a secret could come along; whatever stands there is not written. */
const REDACTED_PATHS = [
  'password',
  'secret',
  'token',
  'authorization',
  '*.password',
  '*.secret',
  '*.token',
  '*.authorization',
  'headers["x-auth-token"]',
  'headers["x-subject-token"]',
  'headers.authorization',
  'error.config',
];

/** JSON lines on standard output: a fixed sentence, the data in fields. */
@Injectable()
export class Log implements LoggerService {
  readonly pino: Logger;

  constructor(level: string, destination?: { write(line: string): void }) {
    this.pino = pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
        formatters: { level: (label) => ({ level: label }) },
        serializers: { error: pino.stdSerializers.err },
        mixin: () => {
          const requestId = currentRequestId();
          return requestId ? { request_id: requestId } : {};
        },
      },
      destination ?? pino.destination({ dest: 1, sync: true }),
    );
  }

  debug(message: string, fields?: unknown): void {
    this.write('debug', message, fields);
  }

  info(message: string, fields?: unknown): void {
    this.write('info', message, fields);
  }

  warn(message: string, fields?: unknown): void {
    this.write('warn', message, fields);
  }

  error(message: string, fields?: unknown): void {
    this.write('error', message, fields);
  }

  /** Nest's own chatter about modules and routes. */
  log(message: string, fields?: unknown): void {
    this.write('debug', message, fields);
  }

  // Nest passes a context text where our own calls pass fields.
  private write(level: 'debug' | 'info' | 'warn' | 'error', message: unknown, fields: unknown): void {
    if (message instanceof Error) this.pino[level]({ error: message }, message.message);
    else if (typeof fields === 'object' && fields !== null) this.pino[level](fields, String(message));
    else this.pino[level](fields === undefined ? {} : { context: fields }, String(message));
  }
}
