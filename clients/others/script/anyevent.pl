# AnyEvent::WebSocket::Client
use strict;
use warnings;
use AnyEvent;
use AnyEvent::WebSocket::Client;
use JSON::PP;

$| = 1;
my $offered = ($ENV{HEAD} // '') eq 'subprotocol';
my $ended   = AnyEvent->condvar;
sub say_line { print encode_json({@_}), "\n" }

my $client = AnyEvent::WebSocket::Client->new(
  max_payload_size => 1 << 20,
  $offered ? (subprotocol => ['muster.plain', "muster.bearer.$ENV{TOKEN}"]) : (http_headers => {Authorization => "Bearer $ENV{TOKEN}"}),
  $ARGV[1] ? (ssl_ca_file => $ARGV[1]) : (),
);
my $session;
$client->connect($ARGV[0])->cb(
  sub {
    $session = eval { shift->recv };
    if (!$session) { say_line(saw => 'error', text => "$@"); return $ended->send }
    say_line(saw => 'open');
    $session->on(
      each_message => sub {
        my $text = $_[1]->body;
        say_line(saw => 'text', size => length $text, text => substr $text, 0, 64);
        $_[0]->send('x' x $1) if $text =~ /^send (\d+)/;
      }
    );
    $session->on(
      finish => sub {
        say_line(saw => 'close', code => $_[0]->close_code, reason => $_[0]->close_reason);
        $ended->send;
      }
    );
    $session->send('hello');
  }
);
$ended->recv;
