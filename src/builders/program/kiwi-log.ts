import type { BuildFailureCode } from '../../modules/jobs/builder.js';

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
const KIWI_LINE = /^\[ [A-Z]+\s*\]:/;
const MAX_LINE = 16_384;
const HELD_LINES = 40;

export interface BuildCause {
  readonly code: BuildFailureCode;
  readonly message: string;
}

/** Reads kiwi's output as it comes: whole lines for the job's log, a rough percentage, and the cause when it fails. */
export class KiwiLog {
  private open = '';
  private inDebug = false;
  /** The last debug lines, where they are not told at once. */
  private readonly held: string[] = [];
  private reached = 0;
  private next = 100;
  /** What a script or a package manager wrote follows the error line, up to kiwi's next own line. */
  private lastError: { readonly text: string; readonly more: string[]; open: boolean } | undefined;
  private fetchFault: string | undefined;
  private packageFault: string | undefined;
  private rpmFault: string | undefined;
  private outOfSpace = false;

  /**
   * @param log gets whole lines, each with its end
   * @param percent gets each new value, never a smaller one
   * @param debug whether debug lines belong into the log; else only the last ones of a failed build do
   */
  constructor(
    private readonly log: (text: string) => void,
    private readonly percent: (percent: number) => void,
    private readonly debug: boolean,
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

  end(failed: boolean): void {
    if (this.open !== '') this.line(this.open);
    this.open = '';
    if (failed && this.held.length > 0) this.log(`The last lines of the debug log:\n${this.held.join('')}`);
  }

  /** Why kiwi failed. Call after `end`. */
  cause(): BuildCause {
    if (this.outOfSpace) return { code: 'build.out_of_disk', message: 'The build ran out of disk space' };
    if (this.lastError === undefined)
      return { code: 'build.failed', message: 'kiwi-ng failed without giving a reason' };
    const { text, more } = this.lastError;
    const said = this.fetchFault ?? this.packageFault ?? this.rpmFault;
    const phase = PHASE_ERROR.test(text) || (said !== undefined && MANAGER_ERROR.test(text));
    // After a phase's error comes advice to read the log; what matters is its headline and the package manager's word.
    const headline = phase ? `${text} ${more[0] ?? ''}`.split(': ').slice(0, 2).join(': ').trim() : text;
    const detail = phase ? said : more.at(-1);
    const message = detail !== undefined && !headline.includes(detail) ? joined(headline, detail) : headline;
    return { code: codeOf(text, this.fetchFault), message: message.slice(0, MAX_MESSAGE) };
  }

  private line(raw: string): void {
    const states = raw.split('\r').filter((state) => state !== '');
    const text = (states.at(-1) ?? '').slice(0, MAX_LINE);
    this.tellLine(text);
    this.follow(raw);
    const error = ERROR_LINE.exec(text)?.[1];
    if (error !== undefined) this.lastError = { text: error.trim(), more: [], open: true };
    else if (KIWI_LINE.test(text)) this.closeError();
    else if (this.lastError?.open && text.trim() !== '') {
      // The first and the last line are all that is asked for.
      if (this.lastError.more.length > 1) this.lastError.more.pop();
      this.lastError.more.push(text.trim());
    }
    if (NO_SPACE.test(text)) this.outOfSpace = true;
    const fault = PACKAGE_FAULT.exec(text)?.[1];
    if (fault !== undefined) this.packageFault = fault;
    // What follows it says that it failed.
    this.rpmFault ??= RPM_FAULT.exec(text)?.[1];
    const fetchFault = FETCH_FAULT.exec(text)?.[0];
    if (fetchFault !== undefined) this.fetchFault = fetchFault;
  }

  private tellLine(text: string): void {
    if (KIWI_LINE.test(text)) this.inDebug = text.startsWith('[ DEBUG');
    // A debug message may go on over several lines; progress bars begin like kiwi's own lines.
    if (this.debug || !this.inDebug) return this.log(`${text}\n`);
    // What kiwi runs to clean up would push out what matters.
    if (text.includes(' | EXEC: ')) return;
    this.held.push(`${text}\n`);
    if (this.held.length > HELD_LINES) this.held.shift();
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

const MAX_MESSAGE = 1_000;
const PHASE_ERROR =
  /^Kiwi(?:BootStrapPhase|InstallPhase|SystemInstallPackages|SystemUpdate|PackagesDeletePhase)Failed\b/;
/** A package manager that kiwi does not watch line by line. */
const MANAGER_ERROR = /^KiwiCommandError: (?:dnf|microdnf|zypper|rpm|apt-get|pacman): /;

/** The line in which apt or debootstrap says what is wrong. */
const PACKAGE_FAULT = /(?:^|\s)(E: .*)$/;

/** The line in which zypper, dnf or rpm does. */
const RPM_FAULT =
  /(?:^|\s)((?:No provider of '|No match for argument: |Unable to find a match: |nothing provides |error: (?!Failed dependencies)).*)$/;

/** What debootstrap, apt, dnf and zypper say when a package source does not give what it should. */
const FETCH_FAULT =
  /E: (?:Failed getting release file|Invalid Release file|Couldn't download|Failed to fetch|Unable to fetch).*|Could not resolve host.*|Temporary failure (?:in name resolution|resolving).*|Failed to download metadata.*|Curl error.*/;

const INVALID =
  /^Kiwi(?:Description|Schema|Config|TypeNotFound|Profile|UriTypeUnknown|UriStyleUnknown|ExtensionError|NotImplementedError)/;

function codeOf(reason: string, fetchFault: string | undefined): BuildFailureCode {
  if (INVALID.test(reason)) return 'recipe.invalid';
  if (/^KiwiScriptFailed\b/.test(reason)) return 'build.script_failed';
  if (/^KiwiUriOpenError\b/.test(reason)) return 'repository.unreachable';
  const fetched = PHASE_ERROR.test(reason) || MANAGER_ERROR.test(reason);
  return fetched && fetchFault !== undefined ? 'repository.unreachable' : 'build.failed';
}

function joined(headline: string, detail: string): string {
  return headline.endsWith(':') ? `${headline} ${detail}` : `${headline} (${detail})`;
}
