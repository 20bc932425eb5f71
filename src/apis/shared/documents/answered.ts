/** What goes over the wire by the hand of a handler itself; nothing but the documentation looks at it. */
interface Answered<T> {
  readonly answered: T;
}

/** What a function gives back that has sent `T` through the reply: nothing, but the documentation reads the type. */
export type Sent<T> = Answered<T> | undefined;
