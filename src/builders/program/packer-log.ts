import { type BuildCause } from './kiwi-log.js';

const MAX_LINE = 16_384;
const MAX_MESSAGE = 500;
const MOST_FILES = 1_000;
/** Said around the reason. */
const NO_REASON = /^Some builds didn|(^|: )Build was halted\.$|^Error:$|^\d+ errors? occurred:$/;
const NOT_STARTED = /Qemu failed to start/;
const ABOUT_KVM = '(A build has no /dev/kvm: its recipe says "accelerator": "tcg".)';
const NO_SPACE = /No space left on device|Disk quota exceeded|ENOSPC/;

/**
 * Packer's machine-readable output, `<time>,<target>,<type>,<data…>`, as lines for people; on the way it learns which
 * files were made and why a build failed.
 *
 * @see Packer, "Machine-Readable Output"
 */
export class PackerLog {
  private open = '';
  private lastError: string | undefined;
  private outOfSpace = false;
  private readonly made = new Set<string>();

  constructor(private readonly log: (text: string) => void) {}

  push(text: string): void {
    const lines = (this.open + text).split('\n');
    this.open = lines.pop()!.slice(-MAX_LINE);
    for (const line of lines) this.line(line);
  }

  end(): void {
    if (this.open !== '') this.line(this.open);
    this.open = '';
  }

  /** Paths as Packer tells them. */
  get files(): readonly string[] {
    return [...this.made];
  }

  /** Why Packer failed. Call after `end`. */
  cause(): BuildCause {
    if (this.outOfSpace) return { code: 'build.out_of_disk', message: 'The build ran out of disk space' };
    const reason = this.lastError ?? 'Packer failed without giving a reason';
    const isScript = /Script exited with non-zero exit status|Erroneous exit code|error executing script/i.test(reason);
    const message = NOT_STARTED.test(reason) ? `${reason} ${ABOUT_KVM}` : reason;
    return { code: isScript ? 'build.script_failed' : 'build.failed', message: message.slice(0, MAX_MESSAGE) };
  }

  private line(line: string): void {
    const [time, , type, ...data] = line.trimEnd().split(',').map(unescape);
    if (NO_SPACE.test(line)) this.outOfSpace = true;
    if (time === undefined || !/^\d+$/.test(time)) return this.tell(line);
    if (type === 'ui') {
      const text = data.slice(1).join(',');
      if (data[0] === 'error') this.lastError = reasonIn(text) ?? this.lastError;
      this.tell(text);
    } else if (type === 'error') this.lastError ??= reasonIn(data.join(','));
    else if (type === 'artifact' && data[1] === 'file' && this.made.size < MOST_FILES)
      this.made.add(data.slice(3).join(','));
  }

  private tell(text: string): void {
    this.log(`${text.slice(0, MAX_LINE)}\n`);
  }
}

/** Headline of what may go on over many lines, where it gives a reason. */
function reasonIn(text: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.replace(/^(==>|-->|\s|\*)+/, '').trim())
    .find((line) => line !== '' && !NO_REASON.test(line));
}

function unescape(field: string): string {
  return field
    .replace(/%!\(PACKER_COMMA\)/g, ',')
    .replace(/\\n/g, '\n')
    .replace(/\\r/g, '\r');
}
