/**
 * Why a job's handler should end: {@link Job.signal} is aborted with it.
 *
 * A handler that throws it, or whatever else, after `killed` has its job given back, no retry spent; after `timeout` that is an
 * error, which spends one. In the other cases the lease is lost, and nothing that the handler does for this job can be stored.
 */
export class JobInterrupted extends Error {
  override readonly name = "JobInterrupted";
  /** The job's id. */
  readonly jid: string;
  /**
   * `timeout`: it runs longer than it may; `killed`: somebody wants it to end. Of a lost lease expired, cancelled, replaced,
   * finished or unknown.
   */
  readonly reason: string;

  /** @internal */
  constructor(jid: string, reason: string) {
    super(`job ${jid} was interrupted: ${reason}`);
    this.jid = jid;
    this.reason = reason;
  }
}
