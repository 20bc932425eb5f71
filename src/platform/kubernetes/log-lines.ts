/** A line of a container's log, or a piece of one, and when it was begun (RFC 3339, as the cluster tells it). */
export interface LogLine {
  readonly at: string;
  readonly text: string;
}

/** What is longer comes in pieces: whoever writes decides when a line ends, and may never do so. */
const PIECE_CHARACTERS = 16 * 1024;

/** Takes a log with times apart, however it is cut while it comes. A line is cut into the same pieces each time. */
export class LogLines {
  private open = '';
  /** Of a line that has been told in part. */
  private at: string | undefined;

  constructor(private readonly onLine: (line: LogLine) => void) {}

  push(text: string): void {
    const lines = (this.open + text).split('\n');
    this.open = lines.pop()!;
    for (const line of lines) {
      this.tell(this.tellPieces(line));
      this.at = undefined;
    }
    this.open = this.tellPieces(this.open);
  }

  /** The log has ended, and with it a line without an end of its own. */
  end(): void {
    if (this.open !== '') this.tell(this.open);
  }

  /** @returns what is left of it, which is no whole piece */
  private tellPieces(line: string): string {
    let left = line;
    for (; left.length > PIECE_CHARACTERS; left = left.slice(PIECE_CHARACTERS)) {
      this.tell(left.slice(0, PIECE_CHARACTERS));
    }
    return left;
  }

  private tell(piece: string): void {
    if (this.at !== undefined) return this.onLine({ at: this.at, text: piece });
    const space = piece.indexOf(' ');
    this.at = piece.slice(0, space);
    this.onLine({ at: this.at, text: piece.slice(space + 1) });
  }
}
