import type { Readable } from 'node:stream';
import { DiskInspector } from '../../../common/disk-format/disk-inspector.js';
import { BuildFailedError } from '../builder.js';

/** What stands on a raw disk. */
const RAW: ReadonlySet<string> = new Set(['gpt', 'mbr', 'luks']);

/**
 * What a disk that was built is by its content; data without any mark of its own is raw.
 * @throws BuildFailedError nobody should open it: it refers to other files, or is damaged
 */
export async function formatOfDisk(body: Readable): Promise<string> {
  const inspector = new DiskInspector(() => undefined);
  for await (const chunk of body) inspector.write(chunk as Buffer);
  inspector.end();
  const [finding, second] = inspector.findings.filter(({ format }) => !RAW.has(format));
  if (!finding) return inspector.fixedVhd ? 'vhd' : 'raw';
  if (second) {
    throw new BuildFailedError(
      'build.failed',
      `The disk that was built is ${finding.format} and ${second.format} at once`,
    );
  }
  const fault = finding.faults[0];
  if (fault) throw new BuildFailedError('build.failed', `The disk that was built cannot be used: ${fault.message}`);
  if (finding.format === 'qed')
    throw new BuildFailedError('build.failed', 'The disk that was built is qed, which no image may be');
  return finding.format;
}
