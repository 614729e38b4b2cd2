# Mojolicious. Its limit of a message, 256 KiB by default, is that of a command. The CA comes from MOJO_CA_FILE.
use Mojo::Base -strict;
use Mojo::JSON qw(encode_json);
use Mojo::UserAgent;

$| = 1;
my $offered = ($ENV{HEAD} // '') eq 'subprotocol';
sub say_line { print encode_json({@_}), "\n" }

my $client  = Mojo::UserAgent->new;
my $headers = $offered ? {} : {Authorization => "Bearer $ENV{TOKEN}"};
my $names   = $offered ? ['muster.plain', "muster.bearer.$ENV{TOKEN}"] : [];
$client->websocket(
  $ARGV[0] => $headers => $names => sub {
    my (undef, $session) = @_;
    if (!$session->is_websocket) {
      my $answer = $session->res;
      say_line(saw => 'refused', status => $answer->code, body => $answer->body);
      exit;
    }
    say_line(saw => 'open');
    $session->on(
      message => sub {
        my (undef, $message) = @_;
        say_line(saw => 'text', size => length $message, text => substr $message, 0, 64);
        $session->send('x' x $1) if $message =~ /^send (\d+)/;
      }
    );
    $session->on(finish => sub { say_line(saw => 'close', code => $_[1], reason => $_[2]); exit });
    $session->send('hello');
  }
);
Mojo::IOLoop->start;
