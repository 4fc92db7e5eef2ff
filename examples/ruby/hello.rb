# frozen_string_literal: true

# Put a job and perform it. Needs no server: the default is a private one in .manyhands.
require "manyhands"

client = Manyhands::Client.new
client.queue("greetings").put("hello", { name: "world" })

worker = Manyhands::Worker.new(client, queues: ["greetings"])
worker.perform("hello") do |job|
  puts "Hello, #{job.data['name']}!"
  worker.stop # one greeting is enough
end

worker.run
client.close
