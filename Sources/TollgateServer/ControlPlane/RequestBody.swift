import HTTPTypes
import Hummingbird
import NIOCore
import TollgateDataPlane

extension Request {
    /// The whole body, at most `limitBytes` of it.
    ///
    /// - Throws: 413 for a longer one, before any of it is read where its length is announced; 400 for one that breaks
    ///   off.
    func body(upTo limitBytes: Int) async throws(APIError) -> ByteBuffer {
        let announced = headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > limitBytes { throw .bodyTooLarge(limitBytes: limitBytes) }
        guard (announced ?? 0) > 0 || headers[.transferEncoding] != nil else { return ByteBuffer() }
        do {
            return try await body.collect(upTo: limitBytes)
        } catch is NIOTooManyBytesError {
            throw .bodyTooLarge(limitBytes: limitBytes)
        } catch {
            throw .badRequest("The body could not be read to its end.")
        }
    }
}
