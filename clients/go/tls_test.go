package muster

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
)

func TestACertificateIsCheckedAndOneOfACAThatTheProgramNamesIsTrusted(t *testing.T) {
	node := newTLSNode(t)
	terminal := start(t, node, Config{})
	if end := reported[Offline](t, terminal).End; end.Kind != Lost || !strings.Contains(end.Reason, "certificate") {
		t.Error(end)
	}
	terminal.stop()
	trusted := x509.NewCertPool()
	trusted.AddCert(node.server.Certificate())
	other := start(t, node, Config{TLS: &tls.Config{RootCAs: trusted, ServerName: "other.test"}})
	if end := reported[Offline](t, other).End; end.Kind != Lost || !strings.Contains(end.Reason, "other.test") {
		t.Error(end)
	}
	other.stop()
	start(t, node, Config{TLS: &tls.Config{RootCAs: trusted}})
	if hello := node.welcome(nil); hello["type"] != "hello" {
		t.Error(hello)
	}
}
