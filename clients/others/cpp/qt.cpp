// QtWebSockets of Qt 5. Qt reads the CA from a setting of the whole program.
#include <QtCore/QCoreApplication>
#include <QtCore/QFile>
#include <QtNetwork/QSslConfiguration>
#include <QtWebSockets/QWebSocket>

#include "lines.h"

int main(int count, char** words) {
    QCoreApplication program(count, words);
    QWebSocket session;
    QNetworkRequest request(QUrl(QString::fromUtf8(words[1])));
    if (lines::offered()) request.setRawHeader("Sec-WebSocket-Protocol", lines::protocols().c_str());
    else request.setRawHeader("Authorization", lines::authorization().c_str());
    if (lines::At(words[1]).tls) {
        auto tls = QSslConfiguration::defaultConfiguration();
        tls.setCaCertificates(QSslCertificate::fromPath(words[2]));
        session.setSslConfiguration(tls);
    }
    QObject::connect(&session, &QWebSocket::connected, [&] {
        lines::say("open");
        session.sendTextMessage("hello");
    });
    QObject::connect(&session, &QWebSocket::textMessageReceived, [&](const QString& message) {
        auto reply = lines::text(message.toStdString());
        if (!reply.empty()) session.sendTextMessage(QString::fromStdString(reply));
    });
    QObject::connect(&session, QOverload<QAbstractSocket::SocketError>::of(&QWebSocket::error),
                     [&] { lines::error(session.errorString().toStdString()); });
    QObject::connect(&session, &QWebSocket::disconnected, [&] {
        lines::close(session.closeCode(), session.closeReason().toStdString());
        program.quit();
    });
    session.open(request);
    return program.exec();
}
