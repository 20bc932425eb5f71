/** What a time of a listed thing must be like: `<time> <operator> <given time>`. */
export interface TimeCondition {
  readonly operator: 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte';
  readonly time: Date;
}
