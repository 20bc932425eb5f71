import 'reflect-metadata';
import { runProcess } from './process.js';

await runProcess({ ...process.env, KILN_ROLE: 'worker' });
