/** Which part of a list is read: its beginning, unless said otherwise. */
export interface PageOptions {
  /** How many entries are passed over, 0 or more. Default 0. */
  offset?: number;
  /** How many are read at most, 1 to 250. Default 25. */
  limit?: number;
}

export const PAGE_OPTIONS = { offset: "offset", limit: "limit" };

/** A part of a list, and how long all of it is. */
export interface Page<Item> {
  readonly total: number;
  readonly items: readonly Item[];
}

/** A part of a list of jobs, and how long all of it is; {@link Client.jobs} looks them up. */
export interface JidPage {
  readonly total: number;
  readonly jids: readonly string[];
}
