import HTTPTypes
import Hummingbird
import JSONValue
import TollgateDataPlane

extension Response {
    init(_ answer: Answer) {
        self.init(status: answer.status, headers: answer.headers, body: ResponseBody(byteBuffer: answer.body))
    }

    /// An answer with a JSON body.
    init(status: HTTPResponse.Status = .ok, json: JSON, headers: HTTPFields = [:]) {
        self.init(Answer(status: status, json: json, headers: headers))
    }

    init(_ error: APIError, requestID: String) {
        self.init(Answer(error, requestID: requestID))
    }
}
