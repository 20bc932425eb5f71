/** One member of a tar archive, as hostile as wanted: nothing is checked or tidied. */
export interface TarMember {
  readonly name: string;
  /**
   * `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `6` named pipe, `S` a file with holes, `x`
   * what is said of the next member (its content).
   */
  readonly type?: '0' | '1' | '2' | '3' | '4' | '5' | '6' | 'S' | 'x';
  readonly mode?: number;
  readonly content?: string | Buffer;
  readonly linkName?: string;
  /** What the header claims instead of the content's length. */
  readonly sizeBytes?: number;
  /** Of a file with holes: how large it is with them. */
  readonly wholeBytes?: number;
}

/** A ustar archive, not compressed. */
export function tar(members: readonly TarMember[]): Buffer {
  return Buffer.concat([tarMembers(members), Buffer.alloc(1024)]);
}

/** Part of an archive, without its end. */
export function tarMembers(members: readonly TarMember[]): Buffer {
  return Buffer.concat(members.flatMap(memberBlocks));
}

function memberBlocks(member: TarMember): Buffer[] {
  const content = Buffer.from(member.content ?? '');
  const header = Buffer.alloc(512);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(member.name, 0, 100);
  header.write(octal(member.mode ?? 0o644, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(member.sizeBytes ?? content.length, 11), 124);
  header.write(octal(1_700_000_000, 11), 136);
  header.write(' '.repeat(8), 148);
  header.write(member.type ?? '0', 156);
  header.write(member.linkName ?? '', 157, 100);
  header.write('ustar\0' + '00', 257);
  header.write(octal(1, 7), 329);
  header.write(octal(3, 7), 337);
  // Where a ustar header has owners and a prefix, that of a file with holes says where those are.
  if (member.wholeBytes !== undefined) {
    header.write('ustar  \0', 257);
    header.write(octal(0, 11) + octal(0, 11), 386);
    header.write(octal(member.wholeBytes, 11), 483);
  }
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
}
