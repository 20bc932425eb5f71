/** Why this Node cannot run Kiln, or undefined. The range is `engines.node` of package.json. */
export function nodeVersionProblem(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  const suits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  return suits ? undefined : `Kiln needs Node 20.19 or later of 20, or 22.12 or later; this is Node ${version}.`;
}
