import Hiredis
import NIOCore

extension RedisConnection {
    /// Runs a script by its name. Redis does not know its text after a `SCRIPT FLUSH`, or where it could not be told in the
    /// handshake: then one call brings the text for all, and the others are sent again behind it. Nothing has run when Redis
    /// answers NOSCRIPT, so this repeats nothing. Call on the event loop.
    package func run(_ call: any ScriptCall, identifier: UInt64, waiter: ReplyWaiter) {
        send(
            call, bringsText: false, identifier,
            waiter.guarded { error in
                guard let error, error.isUnknownScript else { return false }
                self.runUnknown(call, identifier, waiter)
                return true
            })
    }

    private func runUnknown(_ call: any ScriptCall, _ identifier: UInt64, _ waiter: ReplyWaiter) {
        if beginsToSend(call.script) {
            send(
                call, bringsText: true, identifier,
                waiter.guarded { _ in
                    self.hasSent(call.script)
                    return false
                })
            return
        }
        send(
            call, bringsText: false, identifier,
            waiter.guarded { error in
                guard let error, error.isUnknownScript else { return false }
                // What brought the text has failed.
                self.send(call, bringsText: true, identifier, waiter)
                return true
            })
    }

    private func send(_ call: any ScriptCall, bringsText: Bool, _ identifier: UInt64, _ waiter: ReplyWaiter) {
        let bearsWitness = isClusterNode
        send(identifier: identifier, waiter: waiter) { buffer throws(RedisError) in
            try call.write(bringsText: bringsText, bearsWitness: bearsWitness, to: &buffer)
        }
    }
}
