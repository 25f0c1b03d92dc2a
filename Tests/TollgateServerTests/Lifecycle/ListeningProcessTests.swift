import NIOCore
import NIOPosix
import Testing

@testable import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite struct ListeningProcessTests {
    @Test func tableOfTheKernelIsRead() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1
               1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1
               2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1
            """
        #expect(ListeningProcess.inodes(in: table, listeningAt: 8080) == ["4711"])
        #expect(ListeningProcess.inodes(in: table, listeningAt: 8081) == ["4713"])
        #expect(ListeningProcess.inodes(in: table, listeningAt: 8082) == [])
    }

    /// What comes after the first words may be a password.
    @Test func noMoreIsToldThanTheProgram() {
        #expect(ListeningProcess.command("/usr/bin/tollgate\0dev\0--port\08080\0") == "tollgate dev")
        #expect(ListeningProcess.command("redis-cli\0--pass=secret\0") == "redis-cli")
        #expect(ListeningProcess.command("") == "?")
    }

    #if os(Linux)
    @Test func weAreFound() async throws {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        #expect(ListeningProcess(port: port)?.id == Int(ProcessInfo.processInfo.processIdentifier))
        try await channel.close()
    }
    #endif
}
