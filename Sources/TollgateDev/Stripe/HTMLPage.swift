import HTTPTypes
import Hummingbird
import NIOCore

/// A page of a stand-in: plain HTML, no script, and the browser is told to run none.
struct HTMLPage {
    let title: String

    /// HTML: whatever comes from outside in it went through ``escaped(_:)``.
    let body: String

    func response(status: HTTPResponse.Status = .ok) -> Response {
        let html = """
            <!doctype html>
            <html lang="en">
            <head><meta charset="utf-8"><title>\(Self.escaped(title))</title></head>
            <body>
            <h1>\(Self.escaped(title))</h1>
            \(body)
            <p><small>Development stand-in: no money moves.</small></p>
            </body>
            </html>

            """
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: html)))
    }

    /// A form with nothing but its button.
    static func button(_ label: String, post path: String) -> String {
        "<form method=\"post\" action=\"\(escaped(path))\"><button>\(escaped(label))</button></form>"
    }

    /// Text as it may stand between tags and inside an attribute's quotes.
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.append(character)
            }
        }
    }
}

extension Response {
    /// 303: the browser goes there with GET, whatever it did here.
    static func seeOther(_ location: String) -> Response {
        Response(status: .seeOther, headers: [.location: location])
    }

    /// A JSON answer.
    static func json(
        _ text: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
