# faye-websocket, on EventMachine
require "eventmachine"
require "faye/websocket"
require "json"

$stdout.sync = true
url, ca = ARGV
offered = ENV["HEAD"] == "subprotocol"
headers = offered ? {} : { "Authorization" => "Bearer #{ENV["TOKEN"]}" }
protocols = offered ? ["muster.plain", "muster.bearer.#{ENV["TOKEN"]}"] : []

def said(saw, **fields) = puts({ saw: saw, **fields }.to_json)

EM.run do
  session = Faye::WebSocket::Client.new(url, protocols, headers: headers, tls: ca ? { root_cert_file: ca } : {})
  session.on(:open) do
    said("open")
    session.send("hello")
  end
  session.on(:message) do |event|
    said("text", size: event.data.size, text: event.data[0, 64])
    session.send("x" * event.data.split[1].to_i) if event.data.start_with?("send ")
  end
  session.on(:error) { |event| said("error", text: event.message) }
  session.on(:close) do |event|
    said("close", code: event.code, reason: event.reason)
    EM.stop
  end
end
