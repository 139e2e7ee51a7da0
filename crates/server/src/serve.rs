//! Connections: accepted in a bounded number, watched for clients that stall, and drained at the end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::error::ServeError;
use crate::options::Options;
use crate::router::router;
use crate::state::App;

/// Connections at a time; more wait in the system's own queue.
const MAX_CONNECTIONS: usize = 4096;

/// Bytes of a request's line and headers.
const MAX_HEADERS: usize = 64 << 10;

/// After the system refuses a connection, for want of files say.
const PAUSE: Duration = Duration::from_millis(50);

/// A server that listens, and does not answer before [`Server::run`].
pub struct Server {
    listener: TcpListener,
    app: Arc<App>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// If the address cannot be had, or the options make no sense.
    pub async fn bind(options: Options) -> Result<Self, ServeError> {
        let address = (options.host.clone(), options.port);
        let listener = TcpListener::bind(&address)
            .await
            .map_err(|error| ServeError::Listen {
                address: format!("{}:{}", address.0, address.1),
                error,
            })?;
        Ok(Self {
            listener,
            app: App::new(options)?,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> Result<SocketAddr, ServeError> {
        let what = "the address of a socket";
        self.listener
            .local_addr()
            .map_err(|error| ServeError::System { what, error })
    }

    /// Answers requests until `end` is over, then lets replies under way end. The model that is served is loaded
    /// meanwhile; `loaded` is told.
    ///
    /// # Errors
    /// If that model cannot be loaded.
    pub async fn run(
        self,
        end: impl Future<Output = ()>,
        loaded: impl FnOnce(Option<&ingle::Model>),
    ) -> Result<(), ServeError> {
        let Self { listener, app } = self;
        let graceful = GracefulShutdown::new();
        {
            let mut end = pin!(end);
            let accept = accept(&listener, &app, &graceful);
            let load = async {
                let model = app.registry.load_main().await?;
                loaded(model.as_ref());
                Ok::<(), ingle::Error>(())
            };
            let mut work = pin!(async {
                let mut accept = pin!(accept);
                let mut load = pin!(load);
                tokio::select! {
                    outcome = &mut load => outcome?,
                    () = &mut accept => {}
                }
                accept.await;
                Ok::<(), ingle::Error>(())
            });
            tokio::select! {
                outcome = &mut work => outcome?,
                () = &mut end => {}
            }
            app.drain();
            // Whoever asks is told so until the last reply has ended.
            tokio::select! {
                outcome = &mut work => outcome?,
                () = emptied(&app) => {}
            }
        }
        drop(listener);
        // What is left are connections that nobody uses.
        let _ = tokio::time::timeout(Duration::from_secs(1), graceful.shutdown()).await;
        Ok(())
    }
}

/// Waits until no reply is under way, as long as the options allow.
async fn emptied(app: &App) {
    let poll = async {
        while app.queue.num_taken() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(app.options.drain, poll).await.is_err() {
        tracing::warn!(left = app.queue.num_taken(), "replies were cut off");
    }
}

async fn accept(listener: &TcpListener, app: &Arc<App>, graceful: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let service = router(Arc::clone(app));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(app.options.patience)
        .max_buf_size(MAX_HEADERS);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => patient(stream, app.options.patience),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // Clients that go are no failure of ours.
            let _ = connection.await;
            drop(place);
        });
    }
}

/// A connection that ends when its client does not read what it is sent.
fn patient(stream: TcpStream, patience: Duration) -> std::pin::Pin<Box<TimeoutStream<TcpStream>>> {
    // A token must not wait for the one after it.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    Box::pin(stream)
}
