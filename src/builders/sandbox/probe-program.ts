type Arch = 'x86_64' | 'aarch64';

/** As ELF calls each architecture, and how its programs end themselves. */
const MACHINES: Readonly<Record<Arch, { readonly number: number; readonly exit: string }>> = {
  // mov eax, 60; xor edi, edi; syscall
  x86_64: { number: 0x3e, exit: 'b83c000000' + '31ff' + '0f05' },
  // mov x0, 0; mov x8, 93; svc 0
  aarch64: { number: 0xb7, exit: '000080d2' + 'a80b80d2' + '010000d4' },
};

const HEADERS_BYTES = 0x78;
const ADDRESS = 0x400000n;

/** The smallest program there is of an architecture: it ends at once, and well. */
export function probeProgram(arch: Arch): Buffer {
  return programOf(arch, Buffer.from(MACHINES[arch].exit, 'hex'));
}

/** A program of an architecture that needs nothing beside itself. */
export function programOf(arch: Arch, code: Buffer): Buffer {
  const size = BigInt(HEADERS_BYTES + code.length);
  const headers = Buffer.alloc(HEADERS_BYTES);
  headers.write('7f454c46020101', 'hex');
  headers.writeUInt16LE(2, 0x10); // A program,
  headers.writeUInt16LE(MACHINES[arch].number, 0x12); // of that machine.
  headers.writeUInt32LE(1, 0x14);
  headers.writeBigUInt64LE(ADDRESS + BigInt(HEADERS_BYTES), 0x18);
  headers.writeBigUInt64LE(0x40n, 0x20);
  headers.writeUInt16LE(0x40, 0x34);
  headers.writeUInt16LE(0x38, 0x36);
  headers.writeUInt16LE(1, 0x38);
  // Its one segment: the whole file, to be read and run.
  headers.writeUInt32LE(1, 0x40);
  headers.writeUInt32LE(5, 0x44);
  headers.writeBigUInt64LE(ADDRESS, 0x50);
  headers.writeBigUInt64LE(ADDRESS, 0x58);
  headers.writeBigUInt64LE(size, 0x60);
  headers.writeBigUInt64LE(size, 0x68);
  headers.writeBigUInt64LE(0x1000n, 0x70);
  return Buffer.concat([headers, code]);
}
