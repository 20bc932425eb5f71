/** A line of a container's log, or a piece of one, and when it was begun (RFC 3339, as the cluster tells it). */
export interface LogLine {
  readonly at: string;
  readonly text: string;
}

/** What is longer comes in pieces: whoever writes decides when a line ends, and may never do so. */
const PIECE_CHARACTERS = 16 * 1024;

/**
 * Container runtimes keep a long line in such pieces, too, and some kubelets put a time before each of them without ending
 * the line: seen with 1.20.
 */
const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) /;
const LONGEST_STAMP = 36;

/** Takes a log with times apart, however it is cut while it comes. A line is cut into the same pieces each time. */
export class LogLines {
  private open = '';
  /** Of a line that has been told in part. */
  private at: string | undefined;

  constructor(private readonly onLine: (line: LogLine) => void) {}

  push(text: string): void {
    const lines = (this.open + text).split('\n');
    this.open = lines.pop()!;
    for (const line of lines) this.tellWhole(line);
    // As much as may be told although the rest has not come.
    while (this.open.length > LONGEST_STAMP + PIECE_CHARACTERS) this.open = this.tellPiece(this.open);
  }

  /** The log has ended, and with it a line without an end of its own. */
  end(): void {
    if (this.open !== '') this.tellWhole(this.open);
  }

  private tellWhole(line: string): void {
    for (let left = this.tellPiece(line); left !== '';) left = this.tellPiece(left);
    this.at = undefined;
  }

  /** @returns what is left of it */
  private tellPiece(line: string): string {
    const stamp = this.at === undefined ? line.slice(0, line.indexOf(' ') + 1) : (STAMP.exec(line)?.[0] ?? '');
    if (stamp !== '') this.at = stamp.trimEnd();
    const end = stamp.length + PIECE_CHARACTERS;
    this.onLine({ at: this.at ?? '', text: line.slice(stamp.length, end) });
    return line.slice(end);
  }
}
