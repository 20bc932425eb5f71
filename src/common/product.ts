import { readFileSync } from 'node:fs';

/** The version in package.json; never empty. */
export const PRODUCT_VERSION: string = readVersion();

function readVersion(): string {
  // Two levels up in the sources, three in dist/src/common.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as {
        name: string;
        version: string;
      };
      if (name === 'kiln') return version;
    } catch {
      continue;
    }
  }
  throw new Error("Kiln's package.json is missing beside its build");
}
