import type { BuildFailureCode } from '../../modules/jobs/index.js';

/**
 * Lines of `kiwi-ng system prepare` (9.24 and 9.25) in their order, and about how far a build is when they appear.
 * Most of the time goes into the two installations.
 */
const MILESTONES: ReadonlyArray<readonly [pattern: RegExp, percent: number]> = [
  [/Preparing (?:new root )?system/, 2],
  [/Setup root directory/, 4],
  [/Setting up repository/, 6],
  [/Installing bootstrap packages/, 8],
  [/Importing Image description/, 40],
  [/Installing system \(chroot\)/, 42],
  [/Copying user defined (?:files|archives)/, 82],
  [/Setting up (?:user|timezone|locale|keytable|hostname)/, 84],
  [/Calling \S+ script/, 86],
  [/Cleaning up/, 98],
];

/** kiwi's own progress bar, `Processing: [####      ] 40%`: the share of the step that is under way. */
const BAR = /\[[# ]+\]\s+(\d{1,3})%/;

const ERROR_LINE = /\[ ERROR\s*\]:\s*(?:[\d:]+\s*\|\s*)?(.*)$/;
const NO_SPACE = /No space left on device|Disk quota exceeded|ENOSPC/;
const MAX_LINE = 16_384;

export interface BuildCause {
  readonly code: BuildFailureCode;
  readonly message: string;
}

/** Reads kiwi's output as it comes: whole lines for the job's log, a rough percentage, and the cause when it fails. */
export class KiwiLog {
  private open = '';
  private reached = 0;
  private next = 100;
  /** What a script wrote follows its error line, up to kiwi's next own line; the last of it tells most. */
  private lastError: { readonly text: string; detail?: string; open: boolean } | undefined;
  private fetchFault: string | undefined;
  private outOfSpace = false;

  /**
   * @param log gets whole lines, each with its end
   * @param percent gets each new value, never a smaller one
   */
  constructor(
    private readonly log: (text: string) => void,
    private readonly percent: (percent: number) => void,
  ) {}

  push(text: string): void {
    const pieces = (this.open + text).split('\n');
    this.open = pieces.pop()!;
    for (const piece of pieces) this.line(piece);
    const unfinished = this.open.lastIndexOf('\r');
    if (unfinished >= 0) {
      this.follow(this.open);
      // Of a line that was written over only the last state matters.
      this.open = this.open.slice(unfinished + 1) || this.open.slice(this.open.lastIndexOf('\r', unfinished - 1) + 1);
    }
    if (this.open.length > MAX_LINE) {
      this.line(this.open);
      this.open = '';
    }
  }

  end(): void {
    if (this.open !== '') this.line(this.open);
    this.open = '';
  }

  /** Why kiwi failed. Call after `end`. */
  cause(): BuildCause {
    const reason = this.lastError && [this.lastError.text, this.lastError.detail].filter(Boolean).join(' ');
    if (this.outOfSpace) return { code: 'build.out_of_disk', message: 'The build ran out of disk space' };
    if (reason === undefined) return { code: 'build.failed', message: 'kiwi-ng failed without giving a reason' };
    return { code: codeOf(reason, this.fetchFault), message: sentence(reason, this.fetchFault) };
  }

  private line(raw: string): void {
    const states = raw.split('\r').filter((state) => state !== '');
    const text = (states.at(-1) ?? '').slice(0, MAX_LINE);
    this.log(`${text}\n`);
    this.follow(raw);
    const error = ERROR_LINE.exec(text)?.[1];
    if (error !== undefined) this.lastError = { text: error.trim(), open: true };
    else if (/^\[ [A-Z]+\s*\]:/.test(text)) this.closeError();
    else if (this.lastError?.open && text.trim() !== '') this.lastError.detail = text.trim();
    if (NO_SPACE.test(text)) this.outOfSpace = true;
    if (FETCH_FAULT.test(text)) this.fetchFault = text.trim();
  }

  private closeError(): void {
    if (this.lastError) this.lastError.open = false;
  }

  private follow(text: string): void {
    const at = MILESTONES.findLastIndex(([pattern]) => pattern.test(text));
    if (at >= 0) {
      this.tell(MILESTONES[at]![1]);
      this.next = MILESTONES[at + 1]?.[1] ?? 99;
    }
    const bars = [...text.matchAll(new RegExp(BAR, 'g'))];
    const share = bars.length > 0 ? Number(bars.at(-1)![1]) : undefined;
    if (share !== undefined && this.next > this.reached && at < 0) {
      const from = MILESTONES.findLast(([, percent]) => percent <= this.reached)?.[1] ?? 0;
      this.tell(Math.floor(from + ((this.next - from) * Math.min(share, 99)) / 100));
    }
  }

  private tell(percent: number): void {
    if (percent <= this.reached) return;
    this.reached = percent;
    this.percent(percent);
  }
}

/** What debootstrap, apt, dnf and zypper say when a package source does not give what it should. */
const FETCH_FAULT =
  /^(?:.*\b)?(?:E: (?:Failed getting release file|Invalid Release file|Couldn't download|Failed to fetch)|W: Failed to fetch|Err:\d+ |Could not resolve host|Temporary failure (?:in name resolution|resolving)|Cannot download|Failed to download metadata|Curl error)/;

function codeOf(reason: string, fetchFault: string | undefined): BuildFailureCode {
  if (
    /^Kiwi(?:Description|Schema|Config|ConfigFile|TypeNotFound|DescriptionConflict|Profile|UriTypeUnknown|UriStyleUnknown|RuntimeConfig)/.test(
      reason,
    )
  ) {
    return 'recipe.invalid';
  }
  if (/^KiwiScriptFailed\b/.test(reason)) return 'build.script_failed';
  if (/^Kiwi(?:UriOpenError|RepositoryError)\b/.test(reason)) return 'repository.unreachable';
  if (
    /^Kiwi(?:BootStrapPhaseFailed|DebootstrapError|SystemInstallPackagesFailed|SystemUpdateFailed|InstallPhaseFailed)\b/.test(
      reason,
    )
  ) {
    return fetchFault !== undefined || FETCH_FAULT.test(reason) || /Failed getting release file/.test(reason)
      ? 'repository.unreachable'
      : 'build.failed';
  }
  return 'build.failed';
}

function sentence(reason: string, fetchFault: string | undefined): string {
  const text = fetchFault !== undefined && !reason.includes(fetchFault) ? `${reason} (${fetchFault})` : reason;
  return text.length > 1_000 ? `${text.slice(0, 1_000)}…` : text;
}
