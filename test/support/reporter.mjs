import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * Counts what ran, and names what was skipped and why. A suite that does not load counts as one failed test: its tests
 * are unknown, and it must not look like a success.
 *
 * With KILN_TEST_SUMMARY set, `npm test` reads the counts of each file from there and prints the last line itself, after it has
 * cleaned up; otherwise it is printed here.
 */
export default class SummaryReporter {
  constructor(globalConfig) {
    this.rootDir = globalConfig.rootDir;
  }

  onRunComplete(_contexts, results) {
    const skipped = results.testResults.flatMap((file) =>
      file.testResults
        .filter((test) => test.status === 'pending' || test.status === 'todo' || test.status === 'disabled')
        .map((test) => ({ file: relative(this.rootDir, file.testFilePath), name: test.fullName, status: test.status })),
    );
    const files = Object.fromEntries(
      results.testResults.map((file) => [
        relative(this.rootDir, file.testFilePath),
        {
          passed: file.numPassingTests,
          failed: file.numFailingTests + (didNotLoad(file) ? 1 : 0),
          skipped: skipped.filter((test) => test.file === relative(this.rootDir, file.testFilePath)).length,
        },
      ]),
    );
    const total = (kind) => Object.values(files).reduce((sum, file) => sum + file[kind], 0);
    const summary = { files, interrupted: results.wasInterrupted };
    if (skipped.length > 0) process.stdout.write(skippedReport(skipped));
    if (process.env.KILN_TEST_SUMMARY) writeFileSync(process.env.KILN_TEST_SUMMARY, JSON.stringify(summary));
    else process.stdout.write(`${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped\n`);
  }
}

/** Also a suite whose hook at the top failed after its tests had passed. */
function didNotLoad(file) {
  return (
    Boolean(file.testExecError) || (file.failureMessage !== null && file.numFailingTests === 0 && file.failureMessage)
  );
}

function skippedReport(skipped) {
  const byFile = groupByFile(skipped);
  let text = '\nSkipped:\n';
  let missing = false;
  for (const [file, tests] of byFile) {
    text += `  ${file}\n`;
    for (const { name, status } of tests) {
      const hasReason = /\[[^\]]+\]/.test(name);
      missing ||= name.includes('[needs ');
      text += `    - ${name}${hasReason ? '' : status === 'todo' ? ' (to be written)' : ' (skipped in the source or not selected)'}\n`;
    }
  }
  if (missing) text += 'What they need is installed on Debian by: npm run setup:debian\n';
  return text;
}

function groupByFile(skipped) {
  const groups = new Map();
  for (const test of skipped) groups.set(test.file, [...(groups.get(test.file) ?? []), test]);
  return groups;
}
