package import HTTPTypes
package import JSONValue
package import NIOCore
import TollgateCore

/// A whole answer with a JSON body, whichever side of the server writes it.
package struct Answer {
    package let status: HTTPResponse.Status
    package var headers: HTTPFields
    package let body: ByteBuffer

    /// For the operator's log. Nil for what is no fault of ours.
    package let cause: String?

    package init(status: HTTPResponse.Status = .ok, json: JSON, headers: HTTPFields = [:], cause: String? = nil) {
        self.status = status
        self.headers = headers
        self.cause = cause
        body = ByteBuffer(string: json.text)
        self.headers.append(Self.jsonContentType)
        self.headers.append(HTTPField(name: .contentLength, value: String(body.readableBytes)))
    }

    package init(_ error: APIError, requestID: String) {
        self.init(
            status: error.status, json: error.body(requestID: requestID), headers: error.headers, cause: error.cause)
    }

    private static let jsonContentType = HTTPField(name: .contentType, value: "application/json")
}
