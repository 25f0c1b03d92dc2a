import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// An answer with a JSON body.
    package init(status: HTTPResponse.Status = .ok, json: JSON, headers: HTTPFields = [:]) {
        var headers = headers
        let body = ByteBuffer(string: json.text)
        headers[.contentType] = "application/json"
        headers[.contentLength] = String(body.readableBytes)
        self.init(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
    }

    package init(_ error: APIError, requestID: String) {
        self.init(status: error.status, json: error.body(requestID: requestID), headers: error.headers)
    }
}
