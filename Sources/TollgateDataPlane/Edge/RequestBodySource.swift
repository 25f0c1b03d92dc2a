import HTTPTypes
import HummingbirdCore
import NIOCore

/// The body of a request to the control plane, on its way from the connection to the task that reads it; a few reads of
/// the socket at a time.
struct RequestBodySource {
    private typealias Producer = NIOThrowingAsyncSequenceProducer<
        ByteBuffer, any Error, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, Delegate
    >

    private struct Delegate: NIOAsyncSequenceProducerDelegate {
        let wasTaken: @Sendable () -> Void

        func produceMore() { wasTaken() }
        func didTerminate() { wasTaken() }
    }

    private let source: Producer.Source

    /// - Parameter wasTaken: Is told, on any thread, when there is a place for more again, or the body is read no longer.
    static func make(wasTaken: @escaping @Sendable () -> Void) -> (RequestBody, RequestBodySource) {
        let producer = Producer.makeSequence(
            elementType: ByteBuffer.self, failureType: (any Error).self,
            backPressureStrategy: .init(lowWatermark: 2, highWatermark: 10), finishOnDeinit: true,
            delegate: Delegate(wasTaken: wasTaken))
        return (RequestBody(asyncSequence: producer.sequence), RequestBodySource(source: producer.source))
    }

    /// Hands over `bytes`.
    ///
    /// - Returns: Whether there is a place for more. So there is when the body is read no longer: it is thrown away then.
    func hasRoom(after bytes: ByteBuffer) -> Bool {
        switch source.yield(bytes) {
        case .produceMore, .dropped: true
        case .stopProducing: false
        }
    }

    func end() { source.finish() }

    /// The rest will never come.
    func breakOff() { source.finish(ChannelError.inputClosed) }
}

/// Gathers the body of an answer of the control plane. They are bounded, and each is made as a whole.
struct ResponseBytes: ResponseBodyWriter {
    private final class Gathered { var bytes = ByteBuffer() }

    private let gathered = Gathered()

    /// Nil when it could not be made to its end.
    static func whole(of body: ResponseBody) async -> ByteBuffer? {
        let writer = ResponseBytes()
        guard (try? await body.write(writer)) != nil else { return nil }
        return writer.gathered.bytes
    }

    mutating func write(_ buffer: ByteBuffer) async throws {
        if gathered.bytes.readableBytes == 0 {
            gathered.bytes = buffer
        } else {
            gathered.bytes.writeImmutableBuffer(buffer)
        }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
