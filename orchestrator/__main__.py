from orchestrator.cli import main

if __name__ == "__main__":  # processes of slow bots import this too
    main()
