export const SECOND_MS = 1_000;

/** Times of the Image and the Compute API have whole seconds. */
export function presentTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

const TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:Z|([+ -])(\d\d)(?::?(\d\d))?)?)?$/i;

/** An ISO 8601 time as milliseconds; null if it is none. A blank before the offset is a plus that was not escaped. */
export function parseTime(text: string): number | null {
  const match = TIME.exec(text);
  if (!match) return null;
  const [
    ,
    year,
    month,
    day,
    hour = '00',
    minute = '00',
    second = '00',
    fraction = '',
    sign,
    offsetHour = '00',
    offsetMinute = '00',
  ] = match;
  const civil = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
  const time = Date.parse(civil);
  // What Date takes for the day after (February 30, 24:00) is no time.
  if (Number.isNaN(time) || new Date(time).toISOString() !== civil || year === '0000') return null;
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) return null;
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * 60 * SECOND_MS;
  return sign === '-' ? time + offset : time - offset;
}
