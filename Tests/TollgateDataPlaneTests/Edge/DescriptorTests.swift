import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import TollgateDataPlane

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What clients may take of the process' descriptors, and what happens when there are none.
@Suite struct DescriptorTests {
    @Test(arguments: [64, 200, 1_024, 20_000, 1 << 20], [1, 2, 16, 256])
    func somethingIsAlwaysLeftForTheGatewayItself(limit: Int, eventLoops: Int) {
        for wanted in [nil, 1, 100, 1_000_000] {
            let budget = DescriptorBudget(limit: limit, eventLoops: eventLoops, wantedConnections: wanted)
            #expect(budget.clientConnections >= 1)
            #expect(budget.clientConnections <= wanted ?? 65_536)
            #expect(budget.adminConnections >= 4 && budget.adminConnections <= 64)
            #expect(budget.reservedFrom < limit)
            #expect(budget.clientConnections < max(2, budget.reservedFrom))
        }
    }

    @Test func eachClientMayNeedAnUpstream() {
        let budget = DescriptorBudget(limit: 200, eventLoops: 2, wantedConnections: nil)
        #expect(budget.clientConnections * 2 <= budget.reservedFrom)
        #expect(200 - budget.reservedFrom >= budget.adminConnections + 2 * 2)
    }

    @Test func aWishForMoreThanThereIsIsWarnedOf() {
        for (wanted, lines) in [(nil, 0), (1, 0), (100, 0), (1_000_000, 1)] as [(Int?, Int)] {
            let log = KeptLog()
            let budget = DescriptorBudget(limit: 1_024, eventLoops: 2, wantedConnections: wanted)
            budget.logShortfall(of: wanted, to: log.logger)
            #expect(log.lines.count == lines, "\(log.lines)")
            for line in log.lines {
                #expect(line.hasPrefix("warning fewer connections than configured "), "\(line)")
                #expect(line.contains("inForce=\(budget.clientConnections) ") && line.contains("wanted=1000000"))
            }
        }
    }

    @Test func theLimitIsRaisedAsFarAsItGoes() {
        let limit = DescriptorBudget.processLimit
        var limits = rlimit()
        // Unsafe: the kernel fills in the structure that it is given for the call.
        #expect(unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0)
        #expect(limits.rlim_cur == min(limits.rlim_max, max(limits.rlim_cur, 1 << 20)))
        #expect(rlim_t(limit) <= limits.rlim_cur)
    }

    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = Never
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private final class Errors: ChannelInboundHandler {
        typealias InboundIn = any Channel
        var count = 0

        func errorCaught(context: ChannelHandlerContext, error: any Error) { count += 1 }
    }

    @Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM])
    func nothingIsAcceptedForAMomentWhenThereIsNoDescriptor(code: CInt) throws {
        let (reads, errors) = (Reads(), Errors())
        let channel = EmbeddedChannel(handlers: [reads, AcceptPause(), errors])
        channel.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
        channel.read()
        channel.read()
        #expect(reads.count == 0)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(100))
        #expect(reads.count == 1)
        channel.read()
        #expect(reads.count == 2)
        #expect(errors.count == 0, "an error would end the port")
        _ = try channel.finish()
    }

    @Test func aClientThatLeftTheQueueIsNoFaultOfThePort() throws {
        let (reads, errors) = (Reads(), Errors())
        let channel = EmbeddedChannel(handlers: [reads, AcceptPause(), errors])
        channel.pipeline.fireErrorCaught(IOError(errnoCode: ECONNABORTED, reason: "accept"))
        channel.read()
        #expect(reads.count == 1 && errors.count == 0)
        channel.pipeline.fireErrorCaught(IOError(errnoCode: EBADF, reason: "accept"))
        #expect(errors.count == 1)
        _ = try channel.finish()
    }
}
