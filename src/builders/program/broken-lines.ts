/** At most 15 KiB of UTF-8: container runtimes cut what is longer than 16, and some kubelets put a time into each cut. */
export const LINE_CHARACTERS = 5 * 1024;

/**
 * Ends lines that their writer does not: whoever reads the log of a pod holds each line until it has its end, and foreign
 * code may write one of any length.
 */
export function brokenLines(write: (text: string) => void): (text: string) => void {
  let length = 0;
  return (text) => {
    const pieces: string[] = [];
    for (const [index, part] of text.split('\n').entries()) {
      if (index > 0) {
        pieces.push('\n');
        length = 0;
      }
      let left = part;
      for (let room = LINE_CHARACTERS - length; left.length > room; room = LINE_CHARACTERS) {
        pieces.push(left.slice(0, room), '\n');
        left = left.slice(room);
        length = 0;
      }
      pieces.push(left);
      length += left.length;
    }
    write(pieces.join(''));
  };
}
