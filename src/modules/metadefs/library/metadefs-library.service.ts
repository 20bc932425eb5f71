import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import { Log } from '../../../platform/logging/log.js';
import { Actor } from '../../tenancy/index.js';
import { readNamespaceDocument } from '../documents/documents.js';
import { NamespacesService } from '../namespaces/namespaces.service.js';

/** The reference's owner of namespaces from files that do not name one; no project. */
const FILES_OWNER = 'admin';

/** What came of a folder of definitions. */
export interface LibraryOutcome {
  /** Names of the namespaces that were made. */
  readonly added: readonly string[];
  /** How many were there already, and stayed as they are. */
  readonly present: number;
  readonly failed: readonly { readonly file: string; readonly reason: string }[];
}

/**
 * Namespaces that come as files: each `.json` file of a folder is one namespace, in the form of the reference.
 *
 * Only namespaces that are not there yet are made; one that somebody changed is never overwritten. So it can be done at
 * every start, by any number of processes at once.
 */
@Injectable()
export class MetadefsLibraryService {
  constructor(
    private readonly namespaces: NamespacesService,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /** Loads the configured folder, if there is one. A file that cannot be used is told by name and passed over. */
  async load(): Promise<LibraryOutcome> {
    const folder = this.config.metadefsDir;
    const outcome = folder === undefined ? { added: [], present: 0, failed: [] } : await this.loadFolder(folder);
    for (const { file, reason } of outcome.failed) {
      this.log.error('metadata definitions could not be loaded', { file, reason });
    }
    if (outcome.added.length > 0) this.log.info('metadata definitions were loaded', { count: outcome.added.length });
    return outcome;
  }

  private async loadFolder(folder: string): Promise<LibraryOutcome> {
    const added: string[] = [];
    const failed: { file: string; reason: string }[] = [];
    let present = 0;
    for (const file of await findFiles(folder, failed)) {
      try {
        const name = await this.loadFile(join(folder, file));
        if (name === null) present += 1;
        else added.push(name);
      } catch (error) {
        failed.push({ file: join(folder, file), reason: (error as Error).message });
      }
    }
    return { added, present, failed };
  }

  /** The name of the namespace; null if it was there. */
  private async loadFile(path: string): Promise<string | null> {
    const document = readNamespaceDocument(JSON.parse(await readFile(path, 'utf8')));
    const added = await this.namespaces.createIfAbsent(Actor.system('metadefs-library'), {
      ...document,
      projectId: document.projectId ?? FILES_OWNER,
    });
    return added ? document.name : null;
  }
}

/** In the order of their names, so that every start does the same. */
async function findFiles(folder: string, failed: { file: string; reason: string }[]): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && entry.name.endsWith('.json'))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    failed.push({ file: folder, reason: (error as Error).message });
    return [];
  }
}
