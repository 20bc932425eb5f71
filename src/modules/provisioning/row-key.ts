/** How a client names a row: by its number or by its name, whichever is found. */
export interface RowKey {
  /** Null: what the client wrote begins with no number, or with one that no row can have. */
  readonly id: number | null;
  /** What the client wrote. */
  readonly name: string;
}
