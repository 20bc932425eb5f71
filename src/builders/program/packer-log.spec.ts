import { describe, expect, it } from '@jest/globals';
import { PackerLog } from './packer-log.js';

function read(...lines: string[]) {
  let log = '';
  const packer = new PackerLog((text) => (log += text));
  packer.push(lines.join('\n'));
  packer.end();
  return { packer, log };
}

describe('the log of Packer', () => {
  it('is told as people would see it', () => {
    const { log } = read(
      '1700000000,,ui,say,==> file.image: one%!(PACKER_COMMA) two\\nthree',
      'not of Packer itself',
      '1700000000,file.image,artifact,0,id,File',
    );

    expect(log).toBe('==> file.image: one, two\nthree\nnot of Packer itself\n');
  });

  it('names each file once, whatever pieces it comes in', () => {
    const { packer } = read(
      '1700000000,a,artifact,0,files-count,2',
      '1700000000,a,artifact,0,file,0,out/disk%!(PACKER_COMMA)1',
      '1700000000,a,artifact,0,file,1,out/other',
      '1700000000,a,artifact,1,file,0,out/other',
    );

    expect(packer.files).toEqual(['out/disk,1', 'out/other']);
  });

  it.each([
    ['the last error', ['1,,ui,error,Build x errored: no such disk'], 'build.failed', 'Build x errored: no such disk'],
    [
      'a script',
      ['1,,ui,error,Build x errored: Script exited with non-zero exit status: 3'],
      'build.script_failed',
      'Build x errored: Script exited with non-zero exit status: 3',
    ],
    [
      'what came before the summary',
      ["1,,ui,error,Build 'x' errored: first", "1,,ui,error,\\n==> Some builds didn't complete successfully"],
      'build.failed',
      "Build 'x' errored: first",
    ],
    [
      'a machine that does not start, with what may be the matter',
      [
        '1,,ui,error,==> qemu: Error launching VM: Qemu failed to start.',
        "1,,ui,error,Build 'qemu' errored after 1 second: Build was halted.",
        "1,,ui,error,\\n==> Some builds didn't complete successfully and had errors:",
        '1,qemu,error,Build was halted.',
        '1,,ui,error,--> qemu: Build was halted.',
      ],
      'build.failed',
      'qemu: Error launching VM: Qemu failed to start. (A build has no /dev/kvm: its recipe says "accelerator": "tcg".)',
    ],
    [
      'the first of several mistakes in a recipe',
      ['1,,ui,error,Error: \\n\\n2 errors occurred:\\n\t* at least one builder must be defined\\n\t* another'],
      'build.failed',
      'at least one builder must be defined',
    ],
    [
      'a full disk',
      ['1,,ui,error,write: No space left on device'],
      'build.out_of_disk',
      'The build ran out of disk space',
    ],
    ['nothing', ['1,,ui,say,hello'], 'build.failed', 'Packer failed without giving a reason'],
  ])('blames %s', (_what, lines, code, message) => {
    expect(read(...lines).packer.cause()).toEqual({ code, message });
  });
});
