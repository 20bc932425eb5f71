import { AUTHORITIES } from './steps/authorities.js';
import { CONFINED } from './steps/confined.js';
import { CONVERSION } from './steps/conversion.js';
import { CUSTOMIZING } from './steps/customizing.js';
import { MAIN } from './steps/main.js';
import { PACKAGING } from './steps/packaging.js';
import { PACKER } from './steps/packer.js';
import { PREAMBLE } from './steps/preamble.js';
import { RECIPE_ARCHIVE } from './steps/recipe-archive.js';
import { REPOSITORIES } from './steps/repositories.js';
import { SHELL } from './steps/shell.js';
import { TEMPLATES } from './steps/templates.js';

/**
 * The program that runs as the first process of every sandbox. It is a text, because it is read by the sandbox's
 * Python and not by Node, and because only `.ts` files reach `dist/`.
 *
 * It says that it has started, gets one JSON object (the order) as the first line of its standard input, does the one
 * step that this names and tells events, one JSON object a line, on descriptor 4. Whatever it or its children print is
 * the log. The end of its input means that the worker is gone: it ends, and the PID namespace with it.
 *
 * Written for Python 3.9 and newer with python3-jinja2 and python3-yaml.
 */
export const SANDBOX_PROGRAM = [
  PREAMBLE,
  RECIPE_ARCHIVE,
  TEMPLATES,
  REPOSITORIES,
  CONFINED,
  PACKAGING,
  AUTHORITIES,
  PACKER,
  CUSTOMIZING,
  SHELL,
  CONVERSION,
  MAIN,
].join('\n');
