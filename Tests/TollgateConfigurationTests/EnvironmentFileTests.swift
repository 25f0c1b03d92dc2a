import ClerkAuth
import Testing
import TollgateConfiguration

@Suite struct EnvironmentFileTests {
    private typealias Fixture = ConfigurationFixture

    /// How a line is written, and the value it gives.
    @Test(arguments: [
        ("FRONTEND_URL=https://a.example", "https://a.example"),
        ("  export FRONTEND_URL = https://a.example  ", "https://a.example"),
        ("FRONTEND_URL=https://a.example # where it is", "https://a.example"),
        ("FRONTEND_URL='https://a.example' # where it is", "https://a.example"),
        ("FRONTEND_URL=\"https://a.example\"", "https://a.example"),
        ("# FRONTEND_URL=https://b.example\r\nFRONTEND_URL=https://a.example\r\n", "https://a.example"),
        ("\u{FEFF}FRONTEND_URL=https://a.example", "https://a.example"),
        ("OTHER.name-1=x\nFRONTEND_URL=https://a.example", "https://a.example"),
        ("FRONTEND_URL= # not yet", nil),
    ])
    func forms(text: String, value: String?) throws {
        #expect(try Fixture.load(files: [".env": text]).frontendURL == value)
    }

    /// Values that Redis' password shows as they are.
    @Test(arguments: [
        ("REDIS_URL='redis://:a#b$c\\n@host'", "redis://:a#b$c\\n@host"),
        (#"REDIS_URL="redis://:\"\$\\\x@host""#, #"redis://:"$\\x@host"#),
        ("REDIS_URL=redis://:a#b'c=\"d@host", "redis://:a#b'c=\"d@host"),
    ])
    func quotes(text: String, value: String) throws {
        let environment = ["CLERK_PUBLISHABLE_KEY": Fixture.publishableKey]
        #expect(try Fixture.load(environment: environment, files: [".env": text]).redis.url.revealed == value)
    }

    /// As people paste a key: with escapes, with real line ends, and the lines after it still have their numbers.
    @Test func keyInPEM() throws {
        for key in [Fixture.pem.replacing("\n", with: "\\n"), Fixture.pem] {
            let text = "CLERK_JWT_KEY=\"\(key)\"\nTOLLGATE_PORT=81\n"
            let configuration = try Fixture.load(files: [".env": text])
            #expect(configuration.clerk.configuration.keySource == .pem(Fixture.pem))
            let line = key.split(separator: "\n").count + 1
            #expect(configuration.describe().contains("TOLLGATE_PORT = 81 (.env:\(line))"))
        }
    }

    /// A text, and the lines that are wrong with a part of the message.
    @Test(arguments: [
        ("TOLLGATE_PORT=81\nno assignment\n", [2], "NAME=value"),
        ("=81", [1], "NAME=value"),
        ("export\nTOLLGATE_PORT 81\n", [1, 2], "NAME=value"),
        ("\nFRONTEND_URL='https://a.example\nTOLLGATE_PORT=81\n", [2], "never closed"),
        ("OTHER=\"a\" b\n", [1], "follows the closing quote"),
        ("TOLLGATE_PORT=81\n\nTOLLGATE_PORT=82", [3], "set again, after line 1"),
    ])
    func problems(text: String, lines: [Int], message: String) throws {
        let problems = try Fixture.problems(files: [".env": text])
        #expect(problems.places == lines.map { ".env:\($0)" }, "\(problems)")
        #expect(problems.allSatisfy { $0.message.contains(message) }, "\(problems)")
    }

    @Test func wrongValueNamesLineAndVariable() throws {
        let problems = try Fixture.problems(files: [".env": "\n# port\nTOLLGATE_PORT=high"])
        #expect(problems.places == [".env:3"])
        #expect(problems.first?.message.hasPrefix("TOLLGATE_PORT: 'high'") == true)
    }

    /// The file may belong to other programs, which have rules of their own.
    @Test func repeatedForeignNamesAreIgnored() throws {
        #expect(try Fixture.problems(files: [".env": "OTHER=1\nOTHER=2\n"]).isEmpty)
    }
}
