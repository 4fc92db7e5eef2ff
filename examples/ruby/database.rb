# frozen_string_literal: true

# A database connection that each worker process opens for itself:
#
#     manyhands-ruby work -r ./database.rb --worker-count 2
require "manyhands"

# Stands for a database: a connection must not be shared by processes, so it is closed before a fork and opened after.
module Database
  def self.connect = @connected = Process.pid
  def self.disconnect = @connected = nil
  def self.query(text) = @connected == Process.pid ? "#{text} by #{@connected}" : raise("not connected")
end

# Looks after the connection of one job: what a handler leaves half done does not reach the next.
module Transaction
  def around_perform(job)
    done = false
    Database.query("begin")
    super.tap { done = true }
  ensure # also when the job is interrupted, which no `rescue => e` sees
    Database.query(done ? "commit" : "rollback")
  end
end

Database.connect # the program reads what never changes, once for all processes

Manyhands.worker do
  worker = Manyhands::Worker.new(Manyhands::Client.new, queues: ["reports"])
  worker.on(:before_fork) { Database.disconnect }
  worker.on(:after_fork) { Database.connect }
  worker.use(Transaction)
  worker.perform("report") { |job| Database.query("select #{job.data}") }
end
