import { setTimeout as delay } from 'node:timers/promises';
import { Clock } from '../../common/clock.js';
import type { KeystoneConfig } from '../../config/config.js';
import { Log } from '../logging/log.js';
import { KeystoneUnavailableError } from './keystone.errors.js';

const RETRIES = 3;
const RETRY_AFTER_MS = 200;
const ATTEMPT_TIMEOUT_MS = 10_000;
const TOTAL_TIMEOUT_MS = 30_000;
/** The own token is renewed when less than this is left of it, or less than half of its life. */
const RENEW_BEFORE_MS = 60_000;
/**
 * Keystone counts in seconds: tokens of the second or two after a user's older ones were revoked (as by a new password)
 * count as revoked.
 */
const REVOCATION_MS = 1_000;
/** How often the own token may be refused, the remembered one included. */
const REFUSALS = 4;

/** A token's body as Keystone tells it, as far as Kiln reads it. */
export interface KeystoneToken {
  readonly methods?: readonly string[];
  readonly audit_ids?: readonly string[];
  readonly issued_at: string;
  readonly expires_at: string;
  readonly user: { readonly id: string; readonly name: string; readonly domain: { id: string; name: string } };
  readonly project?: { readonly id: string; readonly name: string; readonly domain: { id: string; name: string } };
  readonly domain?: { readonly id: string; readonly name: string };
  readonly system?: { readonly all?: boolean };
  readonly roles?: readonly { readonly name: string }[];
  readonly application_credential?: {
    readonly id: string;
    readonly name: string;
    readonly restricted?: boolean;
    readonly access_rules?: readonly { id: string; service: string; method: string; path: string }[];
  };
}

interface OwnToken {
  readonly id: string;
  readonly renewAt: number;
}

/**
 * Asks Keystone about tokens, as a user of Kiln's own.
 *
 * Its address is the operator's word (`KILN_KEYSTONE_URL`), so these requests do not go through the guarded client for
 * addresses that users name. A redirection is not followed: it would take tokens to another place.
 */
export class KeystoneClient {
  private own: Promise<OwnToken> | null = null;

  constructor(
    private readonly config: KeystoneConfig,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * What a token stands for; null when Keystone does not know it, or it has expired or was revoked.
   *
   * @param allowExpired also one that has expired lately
   * @throws KeystoneUnavailableError no answer after three more tries, or Kiln itself is not let in
   */
  async validate(token: string, allowExpired: boolean): Promise<KeystoneToken | null> {
    const deadline = AbortSignal.timeout(TOTAL_TIMEOUT_MS);
    for (let refusals = 1; ; refusals += 1) {
      const own = await this.ownToken(deadline);
      const reply = await this.ask(`/auth/tokens?nocatalog${allowExpired ? '&allow_expired=1' : ''}`, deadline, {
        headers: {
          accept: 'application/json',
          'x-auth-token': own.id,
          'x-subject-token': token,
          // Kiln understands access rules; without this Keystone hides tokens that have them.
          'openstack-identity-access-rules': '1',
        },
      });
      if (reply.status === 200) return readToken(reply.text);
      if (reply.status === 404) return null;
      if (reply.status !== 401 || refusals === REFUSALS) throw this.unexpected('asking about a token', reply);
      if (refusals > 1) await delay(REVOCATION_MS);
      await this.forget(own);
    }
  }

  private async ownToken(deadline: AbortSignal): Promise<OwnToken> {
    const current = this.own;
    const known = await current?.catch(() => null);
    if (known && known.renewAt > this.clock.now().getTime()) return known;
    // Whoever comes while somebody signs in waits for that.
    if (this.own === current || this.own === null) this.own = this.signIn(deadline);
    return this.own;
  }

  /** Another request may have had a new one meanwhile. */
  private async forget(refused: OwnToken): Promise<void> {
    const current = this.own;
    if ((await current?.catch(() => null)) === refused && this.own === current) this.own = null;
  }

  private async signIn(deadline: AbortSignal): Promise<OwnToken> {
    const { username, password, project, userDomain, projectDomain } = this.config;
    const askedAt = this.clock.now().getTime();
    const reply = await this.ask('/auth/tokens?nocatalog', deadline, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: username, domain: { name: userDomain }, password } },
          },
          scope: { project: { name: project, domain: { name: projectDomain } } },
        },
      }),
    });
    if (reply.status !== 201 || !reply.token) throw this.unexpected('signing in', reply);
    const life = Date.parse(readToken(reply.text).expires_at) - askedAt;
    return { id: reply.token, renewAt: askedAt + Math.max(life - RENEW_BEFORE_MS, life / 2) };
  }

  /** One request, tried again while there is no answer or none that Keystone itself gave. */
  private async ask(path: string, deadline: AbortSignal, init: RequestInit) {
    for (let tries = 0; ; tries += 1) {
      try {
        const signal = AbortSignal.any([deadline, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]);
        const reply = await fetch(`${this.config.url}${path}`, { ...init, signal, redirect: 'error' });
        const text = await reply.text();
        if (reply.status < 500) return { status: reply.status, text, token: reply.headers.get('x-subject-token') };
        throw new Error(`Keystone answered ${reply.status}`);
      } catch (error) {
        if (tries >= RETRIES || deadline.aborted) {
          this.log.warn('Keystone does not answer', { error, url: this.config.url });
          throw new KeystoneUnavailableError(error);
        }
        await delay(RETRY_AFTER_MS * 2 ** tries);
      }
    }
  }

  private unexpected(doing: string, reply: { status: number; text: string }): KeystoneUnavailableError {
    this.log.error(`Keystone refused ${doing}`, { status: reply.status, user: this.config.username });
    return new KeystoneUnavailableError(new Error(`Keystone answered ${reply.status} when ${doing}`));
  }
}

/** @throws KeystoneUnavailableError it is none: something else answers at that address */
function readToken(text: string): KeystoneToken {
  try {
    const { token } = JSON.parse(text) as { token: KeystoneToken };
    if (typeof token.user.id === 'string' && !Number.isNaN(Date.parse(token.expires_at))) return token;
  } catch (error) {
    throw new KeystoneUnavailableError(error);
  }
  throw new KeystoneUnavailableError();
}
