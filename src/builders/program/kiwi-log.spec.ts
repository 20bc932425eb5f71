import { describe, expect, it } from '@jest/globals';
import { KiwiLog } from './kiwi-log.js';

/** Of a real build of examples/debian-minimal with kiwi 9.24.56. */
const PREFIX = '[ INFO    ]: 20:15:06 | ';
const PHASES = [
  'Loading XML description',
  '--> Selected build type: tbz',
  'Preparing system',
  'Setup root directory: /job/root',
  'Setting up repository file:///repo',
  'Using package manager backend: apt',
  'Installing bootstrap packages',
  'Importing Image description to system tree',
  '--> Importing config.sh script to /job/root/image/config.sh',
  'Installing system (chroot) for build type: tbz',
  'Copying user defined files to image tree',
  'Setting up user root',
  'Setting up timezone: UTC',
  'Calling config.sh script',
  'Cleaning up SystemPrepare instance',
];

function follow(...texts: string[]) {
  const logged: string[] = [];
  const percents: number[] = [];
  const log = new KiwiLog(
    (text) => logged.push(text),
    (percent) => percents.push(percent),
    false,
  );
  for (const text of texts) log.push(text);
  log.end(true);
  return { logged: logged.join(''), percents, cause: log.cause() };
}

const error = (text: string) => `[ ERROR   ]: 20:15:06 | ${text}\n`;

describe('KiwiLog', () => {
  it('grows with the phases of a build and never reaches 100 by itself', () => {
    const { percents } = follow(...PHASES.map((phase) => `${PREFIX}${phase}\n`));

    expect(percents).toEqual([2, 4, 6, 8, 40, 42, 82, 84, 86, 98]);
  });

  it('follows a progress bar that is written over itself within the step under way', () => {
    const bar = (share: number) => `[ INFO    ]: Processing: [${'#'.repeat(share / 5).padEnd(20)}] ${share}%\r`;

    const { percents, logged } = follow(
      `${PREFIX}Installing bootstrap packages\n`,
      bar(0),
      bar(25),
      bar(50),
      bar(100),
      '\n',
    );

    expect(percents).toEqual([8, 16, 24, 39]);
    expect(logged).toBe(
      `${PREFIX}Installing bootstrap packages\n[ INFO    ]: Processing: [####################] 100%\n`,
    );
  });

  it('does not go back when an earlier line comes again', () => {
    const { percents } = follow(`${PREFIX}Calling config.sh script\n`, `${PREFIX}Setting up repository x\n`);

    expect(percents).toEqual([86]);
  });

  it('passes whole lines on, however the output is cut', () => {
    const { logged } = follow('first li', 'ne\nsec', 'ond\nno end');

    expect(logged).toBe('first line\nsecond\nno end\n');
  });

  it('bounds a line that never ends', () => {
    const { logged } = follow(...Array.from({ length: 64 }, () => 'x'.repeat(1024)));

    expect(Math.max(...logged.split('\n').map((line) => line.length))).toBeLessThanOrEqual(16_384);
  });

  it.each([
    ['recipe.invalid', 'KiwiDescriptionInvalid: Failed to validate schema and/or schematron rules'],
    ['build.script_failed', 'KiwiScriptFailed: config.sh failed: boom'],
    ['build.failed', 'KiwiRootDirExists: Root directory /job/root already exists'],
    ['build.failed', 'KiwiBootStrapPhaseFailed: Bootstrap installation failed'],
  ])('maps to %s: %s', (code, text) => {
    const { cause } = follow(error(text), `${PREFIX}Cleaning up SystemPrepare instance\n`);

    expect(cause).toEqual({ code, message: text });
  });

  it('takes the last error line, not the warnings that come after it', () => {
    const { cause } = follow(
      error('KiwiError: first'),
      error('KiwiScriptFailed: config.sh failed: last'),
      '[ WARNING ]: 20:15:06 | Path /job/root not a mountpoint\n',
    );

    expect(cause).toEqual({ code: 'build.script_failed', message: 'KiwiScriptFailed: config.sh failed: last' });
  });

  it('adds the last line of what a failing script wrote', () => {
    const { cause } = follow(
      error('KiwiScriptFailed: config.sh failed: '),
      'first words\n',
      'last words\n',
      `${PREFIX}Cleaning up SystemPrepare instance\n`,
      'not of the script\n',
    );

    expect(cause).toEqual({ code: 'build.script_failed', message: 'KiwiScriptFailed: config.sh failed: last words' });
  });

  it.each([
    'E: Failed getting release file http://mirror.invalid/dists/bookworm/Release',
    'E: Failed to fetch http://mirror.invalid/pool/a.deb  404  Not Found',
    'E: Invalid Release file, no entry for main/binary-amd64/Packages',
  ])('blames the repository where packages could not be fetched: %s', (line) => {
    const { cause } = follow(`${line}\n`, error('KiwiBootStrapPhaseFailed: debootstrap failed'));

    expect(cause.code).toBe('repository.unreachable');
    expect(cause.message).toContain(line);
  });

  it('blames the disk where it was full, whatever failed of it', () => {
    const { cause } = follow(
      'cp: error writing /x: No space left on device\n',
      error('KiwiScriptFailed: config.sh failed'),
    );

    expect(cause.code).toBe('build.out_of_disk');
  });

  it('adds what the package manager says, which kiwi tells in debug lines only', () => {
    const { cause, logged } = follow(
      "[ DEBUG   ]: 20:15:06 | bootstrap: E: Couldn't find these debs: nonesuch\n",
      error('KiwiBootStrapPhaseFailed: '),
      'Bootstrap package installation failed: W: something\n',
      'Further details\n',
    );

    expect(cause).toEqual({
      code: 'build.failed',
      message:
        "KiwiBootStrapPhaseFailed: Bootstrap package installation failed (E: Couldn't find these debs: nonesuch)",
    });
    expect(logged).toMatch(/The last lines of the debug log:\n.*nonesuch\n$/);
  });

  it.each([
    [
      'zypper',
      [
        error("KiwiBootStrapPhaseFailed: Bootstrap package installation failed: No provider of 'nonesuch' found."),
        ': \n',
      ],
      "KiwiBootStrapPhaseFailed: Bootstrap package installation failed (No provider of 'nonesuch' found.)",
    ],
    [
      'dnf',
      [
        '[ DEBUG   ]: 20:15:06 | bootstrap: No match for argument: nonesuch\n',
        error(
          'KiwiBootStrapPhaseFailed: Bootstrap package installation failed: Error: Unable to find a match: nonesuch',
        ),
      ],
      'KiwiBootStrapPhaseFailed: Bootstrap package installation failed (No match for argument: nonesuch)',
    ],
    [
      'rpm',
      [
        error('KiwiBootStrapPhaseFailed: Bootstrap package installation failed: Installation of a-1-1 failed:'),
        'Error: Subprocess failed. Error: RPM failed: rpm: used\n',
        'error: unpacking of archive failed on file /a: cpio: chown\n',
        'error: a-1-1: install failed\n',
      ],
      'KiwiBootStrapPhaseFailed: Bootstrap package installation failed (error: unpacking of archive failed on file /a: cpio: chown)',
    ],
  ])('adds what %s says', (_what, lines, message) => {
    expect(follow(...lines).cause).toEqual({ code: 'build.failed', message });
  });

  it('blames the repository that dnf could not read', () => {
    const { cause } = follow(
      error("KiwiCommandError: dnf: stderr: Errors during downloading metadata for repository 'tiny':"),
      "  - Curl error (37): Couldn't read a file\n",
      ', stdout: tiny    0.0  B/s\n',
    );

    expect(cause).toEqual({
      code: 'repository.unreachable',
      message: "KiwiCommandError: dnf (Curl error (37): Couldn't read a file)",
    });
  });

  it('says so when kiwi gave no reason', () => {
    expect(follow('Killed\n').cause).toEqual({
      code: 'build.failed',
      message: 'kiwi-ng failed without giving a reason',
    });
  });
});
