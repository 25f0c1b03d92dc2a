import ArgumentParser
import TollgateCore
import TollgateDev
import TollgateServer

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `tollgate dev`: the whole thing offline, and tokens for it.
struct DevCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Run everything offline: a private Redis, stand-ins for Clerk and Stripe, and the gateway.",
        subcommands: [DevServeCommand.self, DevTokenCommand.self], defaultSubcommand: DevServeCommand.self)
}

/// Where development mode keeps its data and its key.
struct DevDataOptions: ParsableArguments {
    private static let usualDirectory = ".tollgate/dev"

    @Option(help: "Where the data and the development key are kept.")
    var data = DevDataOptions.usualDirectory

    var redisDirectory: String { "\(data)/redis" }

    /// What a command needs to find the same data: nothing where it is in the usual place.
    var flag: String { data == Self.usualDirectory ? "" : " --data \(data)" }

    /// The same whatever port the identity provider runs on, so that tokens outlive a restart.
    func identity() throws -> DevelopmentIdentity {
        try DevelopmentIdentity(directory: "\(data)/identity", issuer: "https://identity.tollgate.localhost")
    }
}

/// `tollgate dev token`: mints a session token.
struct DevTokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print a session token for 'tollgate dev'.")

    @OptionGroup var data: DevDataOptions

    @Option(help: "The user's id.")
    var user = "user_abc"

    // None: what was bought counts then, as with a session of Clerk's that has told of it.
    @Option(help: "The plan that the token claims; 'none' claims none, and what was bought counts.")
    var plan = "none"

    @Option(help: "How long the token is valid.")
    var lifetimeSeconds = 86_400

    func validate() throws {
        guard UserID(user) != nil else {
            throw ValidationError("--user takes up to 128 letters, digits and _ - . : @ | + =, such as user_abc")
        }
        guard (1...31_536_000).contains(lifetimeSeconds) else {
            throw ValidationError("--lifetime-seconds takes 1 to 31536000")
        }
    }

    func run() throws {
        do {
            try LiveKeyGuard.refuse(environment: Process.environment)
            let token = try data.identity().token(
                user: user, plan: plan == "none" ? nil : plan, now: SystemClock().now(),
                lifetimeSeconds: lifetimeSeconds)
            print(token)
        } catch {
            throw Process.fail("\(error)")
        }
    }
}
