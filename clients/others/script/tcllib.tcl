# websocket of tcllib, on Tcl's own http
package require http
package require json::write
package require tls
package require websocket

lassign $argv url ca
fconfigure stdout -buffering line
if {$ca ne ""} {
    http::register https 443 [list tls::socket -cafile $ca -require 1]
    http::register wss 443 [list tls::socket -cafile $ca -require 1]
}
set offered [expr {[info exists env(HEAD)] && $env(HEAD) eq "subprotocol"}]

proc said {saw args} {
    set fields [list saw [json::write string $saw]]
    foreach {name value} $args { lappend fields $name $value }
    json::write indented false
    puts [json::write object {*}$fields]
}

proc hear {session kind data} {
    switch -- $kind {
        connect { said open; websocket::send $session text hello }
        text {
            said text size [string length $data] text [json::write string [string range $data 0 63]]
            if {[regexp {^send (\d+)} $data -> count]} { websocket::send $session text [string repeat x $count] }
        }
        close { said close code [lindex $data 0] reason [json::write string [lindex $data 1]] }
        disconnect { set ::ended 1 }
        timeout - error { said error text [json::write string $data]; set ::ended 1 }
    }
}

if {$offered} {
    websocket::open $url hear -protocol [list muster.plain muster.bearer.$env(TOKEN)]
} else {
    websocket::open $url hear -headers [list Authorization "Bearer $env(TOKEN)"]
}
vwait ended
