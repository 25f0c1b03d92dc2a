"""A mail server that others have written (aiosmtpd), as the judge of our mails: what it reads of them, with Python's own
parser, and what it says of our conversation.

usage: smtp_oracle.py DIRECTORY [--starttls|--smtps CERTIFICATE KEY] [--login USER PASSWORD]

Prints its port. DIRECTORY/mails has a line of JSON for each mail that was taken; each line of DIRECTORY/answers, such as
`RCPT 550 5.1.1 no such user`, answers the next such command and is taken off.
"""
import argparse
import asyncio
import email
import email.policy
import json
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("directory", type=pathlib.Path)
parser.add_argument("--starttls", nargs=2)
parser.add_argument("--smtps", nargs=2)
parser.add_argument("--login", nargs=2)
options = parser.parse_args()


class Handler:
    def answer(self, command):
        file = options.directory / "answers"
        lines = file.read_text().splitlines() if file.exists() else []
        if not lines or not lines[0].startswith(command + " "):
            return None
        temporary = file.with_suffix(".new")
        temporary.write_text("".join(line + "\n" for line in lines[1:]))
        temporary.replace(file)
        return lines[0].split(" ", 1)[1]

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = self.answer("RCPT")
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        refusal = self.answer("DATA")
        if refusal is not None:
            return refusal
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": message.get_content(),
            "defects": [repr(defect) for defect in message.defects],
            "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
            "isSecure": server.transport.get_extra_info("sslcontext") is not None,
            "login": session.auth_data.login.decode() if session.auth_data else None,
            "clientName": session.host_name,
        }
        with open(options.directory / "mails", "a") as mails:
            mails.write(json.dumps(mail) + "\n")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    is_right = [data.login.decode(), data.password.decode()] == options.login
    return AuthResult(success=is_right, handled=False, auth_data=data if is_right else None)


def context(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


def protocol():
    return SMTP(
        Handler(),
        hostname="mail.example.com",
        tls_context=context(options.starttls) if options.starttls else None,
        require_starttls=options.starttls is not None,
        authenticator=authenticate if options.login else None,
        auth_required=options.login is not None,
        auth_require_tls=options.starttls is not None,
        loop=loop,
    )


loop = asyncio.new_event_loop()
server = loop.run_until_complete(
    loop.create_server(protocol, "127.0.0.1", 0, ssl=context(options.smtps) if options.smtps else None)
)
print(server.sockets[0].getsockname()[1], flush=True)
loop.run_forever()
