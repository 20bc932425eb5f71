/**
 * Where the generators of the long random tests begin: the same everywhere, so that a failure belongs to a change.
 * `KILN_TEST_SEED` tries other sequences.
 */
export const SEED = Number(process.env.KILN_TEST_SEED ?? 20_261_125);
